with

flights as (

    select * from {{ ref('stg_flights') }}

),

airports as (

    select * from {{ ref('stg_airports') }}

),

counted as (

    select

        concat_ws('-', origin_airport_code, destination_airport_code)
            as route_id,
        origin_airport_code,
        destination_airport_code,

        count(*) as count_flights,
        count(distinct carrier_code) as count_carriers,
        count(*) filter (where is_cancelled) as count_cancelled_flights,
        count(*) filter (where is_diverted) as count_diverted_flights,
        count(*) filter (where is_late) as count_late_flights,

        min(distance_miles) as distance_miles,
        round(avg(air_time_minutes), 1) as average_air_time_minutes,
        round(avg(arrival_delay_minutes), 1) as average_arrival_delay_minutes,
        percentile_cont(0.5) within group (order by arrival_delay_minutes)
            as median_arrival_delay_minutes

    from flights

    group by origin_airport_code, destination_airport_code

),

joined as (

    select

        counted.*,
        destinations.airport_name as destination_airport_name,

        -- Of all that was scheduled: a traveller whose flight was cancelled
        -- was not on time.
        round(
            (
                count_flights
                - count_late_flights
                - count_cancelled_flights
                - count_diverted_flights
            )::numeric / count_flights, 4
        ) as on_time_share

    from counted

    left join airports as destinations
        on counted.destination_airport_code = destinations.airport_code

)

select * from joined
