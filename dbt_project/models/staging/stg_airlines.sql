with

source as (

    select * from {{ source('raw', 'airlines') }}

),

renamed as (

    select

        ----------  ids
        carrier as carrier_code,

        ---------- text
        name as carrier_name,

        ---------- timestamps, with time zone
        _loaded_at as loaded_at

    from source

)

select * from renamed
