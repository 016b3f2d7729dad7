with

source as (

    select * from {{ source('raw', 'weather') }}

),

renamed as (

    select

        ----------  ids
        -- Not the calendar's hour: that one comes twice when summer time ends.
        concat_ws(
            '-', origin, extract(epoch from time_hour)::bigint
        ) as weather_id,
        origin as airport_code,

        ---------- numerics
        temp as temperature_fahrenheit,
        dewp as dew_point_fahrenheit,
        humid as relative_humidity_percent,
        wind_dir as wind_direction_degrees,
        wind_speed as wind_speed_mph,
        wind_gust as wind_gust_mph,
        precip as precipitation_inches,
        pressure as pressure_millibars,
        visib as visibility_miles,

        ---------- timestamps, with time zone
        time_hour as observed_hour_at,
        _loaded_at as loaded_at

    from source

)

select * from renamed
